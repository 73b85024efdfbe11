/**
 * Asks an authenticator and puts its answer into the form, which is then sent like any other. A form says by `data-passkey` whether a
 * passkey is to be made or used, and by `data-options` where what is asked comes from. Until this runs the form is not shown.
 */
export const PASSKEY_SCRIPT = `(() => {
  'use strict'
  const library = window.SimpleWebAuthnBrowser
  if (!library || !library.browserSupportsWebAuthn()) return
  for (const note of document.querySelectorAll('[data-passkey-missing]')) note.hidden = true
  for (const form of document.querySelectorAll('form[data-passkey]')) {
    form.hidden = false
    const problem = form.querySelector('[data-passkey-problem]')
    const button = form.querySelector('button[type=submit]')
    const say = (text) => {
      problem.textContent = text
      problem.hidden = text === ''
    }
    form.addEventListener('submit', async (event) => {
      event.preventDefault()
      say('')
      button.disabled = true
      try {
        const csrf = form.elements.namedItem('csrf')
        const asked = await fetch(form.dataset.options, {
          method: 'POST',
          body: new URLSearchParams(csrf ? { csrf: csrf.value } : {}),
          headers: { Accept: 'application/json' },
        })
        if (!asked.ok) throw new Error('the server did not say what to ask (' + asked.status + '): load the page again')
        const optionsJSON = await asked.json()
        const answer = form.dataset.passkey === 'add'
          ? await library.startRegistration({ optionsJSON })
          : await library.startAuthentication({ optionsJSON })
        form.elements.namedItem('answer').value = JSON.stringify(answer)
        form.submit()
      } catch (error) {
        button.disabled = false
        const isEnded = error && (error.name === 'NotAllowedError' || error.name === 'AbortError')
        say(isEnded ? 'It was not finished. Try again.' : 'It did not work: ' + (error && error.message ? error.message : error))
      }
    })
  }
})()
`
