import type { Place } from './command-tree.ts'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/** The completion script of a shell, with nothing to run but itself. */
export function completionScript(shell: Shell, places: readonly Place[]): string {
  return SCRIPTS[shell](places)
}

const SCRIPTS: Readonly<Record<Shell, (places: readonly Place[]) => string>> = { bash, zsh, fish }

/** In single quotes nothing is special to a shell but the quote itself. */
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

const paths = (places: readonly Place[]) =>
  places
    .slice(1)
    .map(({ path }) => quoted(path))
    .join(' | ')
const valueFlags = (places: readonly Place[]) => [
  ...new Set(places.flatMap(({ options }) => options.filter(({ takesValue }) => takesValue).map(({ flag }) => flag))),
]

/** Walks over the words before the cursor; the value of an option is no command, whatever it is called. */
const walk = (places: readonly Place[], words: string, from: number, to: string) => `
  local at='writ' skip='' i word
  for ((i = ${from}; i < ${to}; i++)); do
    word="${words}"
    if [[ -n $skip ]]; then skip=''; continue; fi
    case "$word" in
      ${valueFlags(places).join(' | ')}) skip=1; continue ;;
    esac
    case "$at $word" in
      ${paths(places)}) at="$at $word" ;;
    esac
  done
  # Here stands the value of an option: a file, perhaps.`

function bash(places: readonly Place[]): string {
  const cases = places.map(({ path, subcommands, options }) => {
    const words = [...subcommands.map(({ name }) => name), ...options.map(({ flag }) => flag)]
    return `    ${quoted(path)}) words=${quoted(words.join(' '))} ;;`
  })
  return `# bash completion for writ: source <(writ completion bash)
_writ() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words=''
  COMPREPLY=()${walk(places, `\${COMP_WORDS[i]}`, 1, 'COMP_CWORD')}
  if [[ -n $skip ]]; then return; fi
  case "$at" in
${cases.join('\n')}
  esac
  local IFS=$' \\t\\n'
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _writ writ
`
}

function zsh(places: readonly Place[]): string {
  const described = (name: string, summary: string) => quoted(`${name.replaceAll(':', '\\:')}:${summary}`)
  const cases = places.map(({ path, subcommands, options }) => {
    const lines = [
      ...subcommands.map(({ name, summary }) => described(name, summary)),
      ...options.map(({ flag, summary }) => described(flag, summary)),
    ]
    return `    ${quoted(path)}) known=(\n      ${lines.join('\n      ')}\n    ) ;;`
  })
  return `#compdef writ
# zsh completion for writ: source <(writ completion zsh)
_writ() {
  local -a known${walk(places, `\${words[i]}`, 2, 'CURRENT')}
  if [[ -n $skip ]]; then _files; return; fi
  case "$at" in
${cases.join('\n')}
  esac
  _describe 'writ' known || _files
}
compdef _writ writ
`
}

function fish(places: readonly Place[]): string {
  const text = (words: string) => `'${words.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const lines = places.flatMap(({ path, subcommands, options }) => {
    const here = `-n ${text(`__writ_at ${text(path)}`)}`
    return [
      ...subcommands.map(({ name, summary }) => `complete -c writ -f ${here} -a ${text(name)} -d ${text(summary)}`),
      ...options.map(({ flag, summary, takesValue }) => {
        const value = takesValue ? ' -r' : ''
        return `complete -c writ ${here} -l ${text(flag.replace(/^--/, ''))}${value} -d ${text(summary)}`
      }),
    ]
  })
  return `# fish completion for writ: writ completion fish | source
function __writ_at
    set -l at writ
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        if contains -- $word ${valueFlags(places).join(' ')}
            set skip 1
            continue
        end
        if contains -- "$at $word" ${places
          .slice(1)
          .map(({ path }) => text(path))
          .join(' ')}
            set at "$at $word"
        end
    end
    test "$at" = "$argv[1]"
end
${lines.join('\n')}
`
}
