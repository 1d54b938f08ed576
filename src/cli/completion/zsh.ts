import { casesOf, quoteShell } from "./bash.ts";
import type { CompletionCommand } from "./tree.ts";

/** A script for zsh: to source, or to install as _netloom in a folder of $fpath. */
export function zshCompletion(tree: readonly CompletionCommand[]): string {
  return `${head}${casesOf(tree).replaceAll(`"\${words[0]}"`, `"\${words[1]}"`)}${aboutsOf(tree)}${body}`;
}

/** Descriptions of commands and options, for the list that zsh shows. */
function aboutsOf(tree: readonly CompletionCommand[]): string {
  const cases = tree.map(({ path, commands, options }) => {
    const lines = [
      ...commands.map(({ name, about }) => [name, about]),
      ...options.flatMap(({ flags, about }) => flags.map((flag) => [flag, about])),
    ].map(([name = "", about = ""]) => quoteShell(`${name}:${about}`));
    return `    ${quoteShell(path)}) abouts=(${lines.join(" ")}) ;;`;
  });
  return `
_netloom_abouts() {
  case "$1" in
${cases.join("\n")}
  esac
}
`;
}

const head = `#compdef netloom
# Completion of netloom for zsh. Load it with: source <(netloom completion zsh)
`;

const body = `
_netloom() {
  local word line="" expects="" current="\${words[CURRENT]}" position=1 i
  local commands options valued places last
  local -a abouts candidates
  _netloom_command ""
  for ((i = 2; i < CURRENT; i++)); do
    word="\${words[i]}"
    if [[ -n $expects ]]; then
      expects=""
    elif [[ $word == -* ]]; then
      [[ " $valued " == *" $word "* ]] && expects="$word"
    elif [[ " $commands " == *" $word "* ]]; then
      line="\${line:+$line }$word"
      _netloom_command "$line"
    else
      ((position++))
    fi
  done
  if [[ -z $expects && $current == --*=* ]]; then
    expects="\${current%%=*}"
    compset -P '*='
  fi
  if [[ -n $expects ]]; then
    candidates=("\${(@f)$(_netloom_values "$line $expects")}")
  elif [[ $current == -* || -n $commands ]]; then
    _netloom_abouts "$line"
    [[ $current == -* ]] && abouts=(\${(M)abouts:#-*}) || abouts=(\${abouts:#-*})
    _describe netloom abouts
    return
  else
    [[ $places == many && $position -gt $last ]] && position=$last
    candidates=("\${(@f)$(_netloom_values "$line $position")}")
  fi
  if [[ "\${candidates[1]}" == //files ]]; then
    _files
  else
    candidates=(\${candidates:#})
    compadd -- "\${candidates[@]}"
  fi
}

if [[ "$funcstack[1]" == _netloom ]]; then
  _netloom "$@"
else
  compdef _netloom netloom
fi
`;
