/**
 * Keeps an open page up to date: when the server tells of something new for the principal, the parts of the page that are
 * marked `data-live` are fetched anew and put in place of the old ones, and the number of what waits follows. A page without
 * this script is as true as when it was loaded.
 */
export const FOLLOW_SCRIPT = `'use strict';
(() => {
  if (!('EventSource' in window)) return;
  const source = new EventSource('/me/events');
  let isFetching = false, isStale = false;
  const showWaiting = (count) => {
    for (const badge of document.querySelectorAll('[data-waiting]')) {
      badge.hidden = count === 0;
      badge.firstChild.data = String(count);
    }
  };
  const refresh = async () => {
    if (isFetching) { isStale = true; return; }
    isFetching = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: 'text/html' }, credentials: 'same-origin' });
      if (answer.redirected || !answer.ok) { location.reload(); return; }
      const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
      for (const old of document.querySelectorAll('[data-live]')) {
        const next = fresh.querySelector('[data-live="' + CSS.escape(old.dataset.live) + '"]');
        // What somebody is about to press stays under the hand until it is left.
        if (next && !old.isEqualNode(next)) {
          if (old.contains(document.activeElement)) document.addEventListener('focusout', refresh, { once: true });
          else old.replaceWith(document.adoptNode(next));
        }
      }
    } catch { /* the next event, or the reader, loads it again */ }
    finally {
      isFetching = false;
      if (isStale) { isStale = false; refresh(); }
    }
  };
  let known;
  source.addEventListener('changed', (event) => {
    const { waiting, version } = JSON.parse(event.data);
    showWaiting(waiting);
    if (known !== undefined && known !== version) refresh();
    known = version;
  });
  // The login has ended: the server says so instead of letting the browser come back for ever.
  source.addEventListener('ended', () => { source.close(); location.reload(); });
})();
`
