/**
 * Keeps an open page up to date: when the server tells of something new for the principal, the parts of the page that are
 * marked `data-live` are fetched anew and put in place of the old ones, and the number of what waits follows. A page without
 * this script is as true as when it was loaded.
 *
 * What waits for an answer is shown at once; what was done, which a busy agent does all the time, every few seconds.
 */
export const FOLLOW_SCRIPT = `'use strict';
(() => {
  if (!('EventSource' in window)) return;
  const CALM_MILLISECONDS = 5000;
  const source = new EventSource('/me/events');
  const badges = () => document.querySelectorAll('[data-waiting]');
  const shown = () => Number(badges()[0]?.firstChild.data ?? 0);
  const show = (count) => {
    for (const badge of badges()) {
      badge.hidden = count === 0;
      badge.firstChild.data = String(count);
    }
  };
  let isFetching = false, isStale = false, fetchedAt = 0, timer;
  const put = (old, next) => {
    for (const open of old.querySelectorAll('details[open]')) {
      const same = [...next.querySelectorAll('details')].find((one) => one.firstElementChild.isEqualNode(open.firstElementChild));
      if (same) same.open = true;
    }
    old.replaceWith(document.adoptNode(next));
  };
  const refresh = async () => {
    clearTimeout(timer);
    timer = undefined;
    if (isFetching) { isStale = true; return; }
    isFetching = true;
    fetchedAt = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: 'text/html' }, credentials: 'same-origin' });
      if (answer.redirected) { location.reload(); return; }
      const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
      for (const old of document.querySelectorAll('[data-live]')) {
        const next = fresh.querySelector('[data-live="' + CSS.escape(old.dataset.live) + '"]');
        if (!next || old.isEqualNode(next)) continue;
        // What somebody is about to press stays under the hand until it is left.
        if (old.contains(document.activeElement)) document.activeElement.addEventListener('blur', () => soon(0), { once: true });
        else put(old, next);
      }
    } catch { /* the next event, or the reader, loads it again */ }
    finally {
      isFetching = false;
      if (isStale) { isStale = false; refresh(); }
    }
  };
  const soon = (milliseconds) => { timer ??= setTimeout(refresh, milliseconds); };
  let known;
  source.addEventListener('changed', (event) => {
    const told = JSON.parse(event.data);
    // Between the making of the page and the first word something may have come.
    if (known === undefined ? told.waiting !== shown() : told.approvals !== known.approvals) refresh();
    else if (known !== undefined && told.account !== known.account) soon(Math.max(0, fetchedAt + CALM_MILLISECONDS - Date.now()));
    show(told.waiting);
    known = told;
  });
  // The login has ended: the server says so instead of letting the browser come back for ever.
  source.addEventListener('ended', () => { source.close(); location.reload(); });
})();
`
