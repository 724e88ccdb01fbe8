import type { Command } from "commander";
import { wordsOf } from "../examples.js";
import { leavesOf } from "./man-page.js";

export const SHELLS = ["bash", "zsh"] as const;
export type Shell = (typeof SHELLS)[number];

/** A script that completes commands, options, and names of clusters, for that shell; from the definitions that parse. */
export function completionScript(program: Command, shell: Shell): string {
  const script = bashScript(program);
  // zsh understands bash's way of completing once it was told so.
  return shell === "bash"
    ? script
    : `#compdef pstorage vstorage\nautoload -U +X bashcompinit && bashcompinit\n${script}`;
}

function bashScript(program: Command): string {
  const groups = program.commands.filter(({ commands }) => commands.length > 0);
  const cases = [
    caseLine("", [...program.commands.map((command) => command.name()), ...flagsOf(program)]),
    ...groups.map((group) =>
      caseLine(
        group.name(),
        group.commands.map((command) => command.name()),
      ),
    ),
    ...leavesOf(program).map((command) => caseLine(wordsOf(command).join(" "), flagsOf(command))),
  ];
  const groupNames = groups.map((group) => group.name()).join(" ");
  return `# Completion of pstorage; made from the definitions of its commands.
_pstorage() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words="" word i candidates
  COMPREPLY=()
  if [[ "$previous" == -c || "$previous" == --cluster ]]; then
    local root="\${PSTORAGE_ROOT:-/}"
    COMPREPLY=($(compgen -W "$(ls "\${root%/}/etc/pstorage/clusters" 2>/dev/null)" -- "$current"))
    return
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "$word" in
      -c | --cluster) ((i++)) ;;
      -*) ;;
      *) if [[ -z "$words" ]]; then words="$word"
         elif [[ " ${groupNames} " == *" $words "* ]]; then words="$words $word"; fi ;;
    esac
  done
  case "$words" in
${cases.join("\n")}
    *) candidates="" ;;
  esac
  # Behind a command, what does not begin with a dash is a file or another thing that the shell completes.
  if [[ "$current" == -* || "$candidates" != -* ]]; then
    COMPREPLY=($(compgen -W "$candidates" -- "$current"))
  fi
}
complete -o default -F _pstorage pstorage vstorage
`;
}

function caseLine(words: string, candidates: readonly string[]): string {
  return `    "${words}") candidates="${candidates.join(" ")}" ;;`;
}

function flagsOf(command: Command): string[] {
  const flags = command.options.flatMap(({ long, short }) => long ?? short ?? []);
  return [...new Set([...flags, "--help"])];
}
