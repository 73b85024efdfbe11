import { html } from '../html.ts'

/** The mark and the name. Its colours are those of the page. */
export const wordmark = html`<svg class="mark" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" focusable="false"><rect class="mark-sheet" x="2" y="2" width="28" height="28" rx="7"/><path class="mark-stroke" d="m7.500 11.500 4 10 4-8 4 8 5.500-13"/></svg><span class="brand-name">Writ</span>`
