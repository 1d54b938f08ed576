import type { CompletionCommand, Values } from "./tree.ts";

/** A script for bash 4 and later, without the package bash-completion. */
export function bashCompletion(tree: readonly CompletionCommand[]): string {
  return `${head}${casesOf(tree)}${body}`;
}

/** Quotes text in single quotes for a POSIX shell. */
export function quoteShell(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * Two functions with `case` statements that bash and zsh share: the commands and options of a command, and the values
 * of an argument or option.
 */
export function casesOf(tree: readonly CompletionCommand[]): string {
  const commands = tree.map(({ path, commands, options, arguments: places }) => {
    const flags = options.flatMap((option) => option.flags);
    const valued = options.flatMap((option) => (option.values ? option.flags : []));
    const last = places.length;
    return [
      `    ${quoteShell(path)})`,
      `      commands=${quoteShell(commands.map(({ name }) => name).join(" "))}`,
      `      options=${quoteShell(flags.join(" "))}`,
      `      valued=${quoteShell(valued.join(" "))}`,
      `      places=${places.at(-1)?.isRepeated === true ? "many" : last} last=${last} ;;`,
    ].join("\n");
  });
  const values = tree.flatMap(({ path, options, arguments: places }) => [
    ...options.flatMap(({ flags, values }) =>
      values && values.kind !== "nothing"
        ? [`    ${flags.map((flag) => quoteShell(`${path} ${flag}`)).join("|")}) ${emit(values)} ;;`]
        : [],
    ),
    ...places.flatMap(({ values }, index) =>
      values.kind === "nothing" ? [] : [`    ${quoteShell(`${path} ${index + 1}`)}) ${emit(values)} ;;`],
    ),
  ]);
  return `
_netloom_command() {
  case "$1" in
${commands.join("\n")}
    *) return 1 ;;
  esac
}

_netloom_values() {
  case "$1" in
${values.join("\n")}
  esac
}
`;
}

function emit(values: Values): string {
  switch (values.kind) {
    case "words":
      return `printf '%s\\n' ${values.words.map(quoteShell).join(" ")}`;
    case "names":
      return `"\${words[0]}" completion --names ${values.of} --line "\${words[*]}" 2>/dev/null`;
    case "files":
      return "echo //files";
    case "nothing":
    default:
      return ":";
  }
}

const head = `# Completion of netloom for bash. Load it with: source <(netloom completion bash)
`;

const body = `
_netloom() {
  local -a words
  local line="\${COMP_LINE:0:COMP_POINT}" word path="" expects="" position=1 i
  local commands options valued places last
  # Not COMP_WORDS, which is split at colons, too.
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  local current="\${words[\${#words[@]} - 1]}"
  _netloom_command ""
  for ((i = 1; i < \${#words[@]} - 1; i++)); do
    word="\${words[i]}"
    if [[ -n $expects ]]; then
      expects=""
    elif [[ $word == -* ]]; then
      [[ " $valued " == *" $word "* ]] && expects="$word"
    elif [[ " $commands " == *" $word "* ]]; then
      path="\${path:+$path }$word"
      _netloom_command "$path"
    else
      ((position++))
    fi
  done
  if [[ -z $expects && $current == --*=* ]]; then
    expects="\${current%%=*}" current="\${current#*=}"
  fi
  local candidates=""
  if [[ -n $expects ]]; then
    candidates="$(_netloom_values "$path $expects")"
  elif [[ $current == -* ]]; then
    candidates="\${options// /$'\\n'}"
  elif [[ -n $commands ]]; then
    candidates="\${commands// /$'\\n'}"
  else
    [[ $places == many && $position -gt $last ]] && position=$last
    candidates="$(_netloom_values "$path $position")"
  fi
  if [[ $candidates == //files ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$current")
  fi
}

complete -F _netloom netloom
`;
