/** The mark by itself: a sealed sheet with the stroke of a W. Drawn for both colour schemes. */
export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<style>.sheet{fill:#0b6e55}.stroke{stroke:#fff}@media(prefers-color-scheme:dark){.sheet{fill:#5fd3b0}.stroke{stroke:#0d1512}}</style>
<path class="sheet" d="M7 2h18a5 5 0 0 1 5 5v18a5 5 0 0 1-5 5H7a5 5 0 0 1-5-5V7a5 5 0 0 1 5-5Z"/>
<path class="stroke" fill="none" stroke-width="3" stroke-linecap="round" stroke-linejoin="round" d="m7.5 11.5 4 10 4-8 4 8 5.500-13"/>
</svg>
`
