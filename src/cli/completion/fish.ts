import type { CompletionCommand, CompletionOption, Values } from "./tree.ts";

/** A script for fish 3 and later. */
export function fishCompletion(tree: readonly CompletionCommand[]): string {
  const valued = new Set(
    tree.flatMap(({ options }) => options.flatMap(({ flags, values }) => (values ? flags : []))),
  );
  const paths = tree.map(({ path }) => path).filter((path) => path !== "");
  return [
    head,
    `set -g __netloom_paths ${paths.map(quote).join(" ")}`,
    `set -g __netloom_valued ${[...valued].join(" ")}`,
    functions,
    "complete -c netloom -f",
    ...tree.flatMap(linesOf),
    "",
  ].join("\n");
}

function linesOf({ path, commands, options, arguments: places }: CompletionCommand): string[] {
  const here = `-n ${quote(`__netloom_at ${quote(path)}`)}`;
  return [
    ...commands.map(({ name, about }) => `complete -c netloom ${here} -a ${name} -d ${quote(about)}`),
    ...options.map((option) => `complete -c netloom ${here} ${flagsOf(option)}`),
    ...places.flatMap(({ values, isRepeated }, index) => {
      const place = `-n ${quote(`__netloom_at ${quote(path)} ${index + 1}${isRepeated ? " more" : ""}`)}`;
      return values.kind === "nothing" ? [] : [`complete -c netloom ${place} ${valuesOf(values)}`];
    }),
  ];
}

function flagsOf({ flags, about, values }: CompletionOption): string {
  const names = flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const taken = values ? [values.kind === "files" ? "-r" : "-x", valuesOf(values)] : [];
  return [...names, ...taken, `-d ${quote(about)}`].filter((part) => part !== "").join(" ");
}

function valuesOf(values: Values): string {
  switch (values.kind) {
    case "words":
      return `-a ${quote(values.words.join(" "))}`;
    case "names":
      return `-a ${quote(`(__netloom_names ${values.of})`)}`;
    case "files":
      return "-F";
    case "nothing":
    default:
      return "";
  }
}

/** https://fishshell.com/docs/current/language.html#quotes */
function quote(text: string): string {
  return `'${text.replace(/[\\']/g, (character) => `\\${character}`)}'`;
}

const head = `# Completion of netloom for fish. Load it with: netloom completion fish | source
`;

const functions = `
# The command that is being written, and how many arguments it has already: "lab up", 0.
function __netloom_place
    set -l path
    set -l count 0
    set -l expects 0
    for word in (commandline -opc)[2..-1]
        if test $expects = 1
            set expects 0
        else if string match -q -- '-*' $word
            contains -- $word $__netloom_valued; and set expects 1
        else if contains -- (string join ' ' $path $word) $__netloom_paths
            set -a path $word
        else
            set count (math $count + 1)
        end
    end
    echo "$path"
    echo $count
end

# Is the command $argv[1] being written, and its argument number $argv[2], or one after it if there may be more?
function __netloom_at
    set -l place (__netloom_place)
    test "$place[1]" = "$argv[1]"; or return 1
    set -q argv[2]; or return 0
    set -l number (math $place[2] + 1)
    test $number = $argv[2]; or begin
        set -q argv[3]; and test $number -gt $argv[2]
    end
end

function __netloom_names
    set -l words (commandline -opc)
    $words[1] completion --names $argv[1] --line "$words" 2>/dev/null
end
`;
