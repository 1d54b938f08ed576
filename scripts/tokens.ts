/**
 * Splits TypeScript source into tokens, without comments: enough to find the names and imports of a file. TypeScript 7 has
 * no compiler API, and a text search would find words in comments and strings.
 */

export interface Token {
  readonly kind: "name" | "number" | "string" | "template" | "regex" | "sign";
  /** A string without its quotes; a template without the contents of `${}`. */
  readonly text: string;
  /** Line number from 1. */
  readonly line: number;
  /** The number of open brackets of any kind around the token. A bracket is not inside itself. */
  readonly depth: number;
}

/** After these words a slash begins a regular expression; after any other name it divides. */
const WORDS_BEFORE_REGEX: ReadonlySet<string> = new Set(
  "return typeof case in of delete void throw new else do await yield instanceof".split(" "),
);

const SKIPPED = /\s+|\/\/[^\n]*|\/\*[^]*?\*\//y;
const NAME = /[\p{ID_Start}$_#@][\p{ID_Continue}$\u200c\u200d]*/uy;
const NUMBER = /\d[\w.]*/y;
const STRING = /"(?:[^"\\\n]|\\[^])*"|'(?:[^'\\\n]|\\[^])*'/y;
const REGEX = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const SIGN = /=>|\?\.(?!\d)|\.\.\.|\*\*|&&|\|\||\?\?|[=!]==?|[^]/y;

/** Splits `source`. Asserts that its brackets, strings and comments are closed. */
export function tokenise(source: string): Token[] {
  return new Tokeniser(source).run();
}

class Tokeniser {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  /** The open brackets. A `\`` is the `${` of a template. */
  readonly #open: string[] = [];
  #position = 0;
  #line = 1;

  constructor(source: string) {
    this.#source = source;
  }

  run(): Token[] {
    if (this.#source.startsWith("#!")) this.#take(/[^\n]*/y);
    while (this.#position < this.#source.length) {
      if (this.#take(SKIPPED) === undefined) this.#next();
    }
    if (this.#open.length > 0) throw new Error(`unclosed ${this.#open.join(" ")}`);
    return this.#tokens;
  }

  #next(): void {
    const line = this.#line;
    const first = this.#source[this.#position];
    const found =
      this.#match("name", NAME) ??
      this.#match("number", NUMBER) ??
      this.#match("string", STRING) ??
      (first === "/" && this.#regexMayBegin() ? this.#match("regex", REGEX) : undefined);
    if (found) this.#push({ ...found, line });
    else if (first === "`") this.#template(line);
    else this.#sign(line);
  }

  #match(
    kind: Token["kind"],
    pattern: RegExp,
  ): { readonly kind: Token["kind"]; readonly text: string } | undefined {
    const text = this.#take(pattern);
    if (text === undefined) return undefined;
    return { kind, text: kind === "string" ? text.slice(1, -1) : text };
  }

  #sign(line: number): void {
    const text = this.#take(SIGN) ?? "";
    if (text === ")" || text === "]" || text === "}") {
      const opened = this.#open.pop();
      if (opened === "`") {
        // The end of ${}: the template continues.
        this.#templateRest(line);
        return;
      }
      if (opened !== { ")": "(", "]": "[", "}": "{" }[text])
        throw new Error(`line ${line}: unexpected ${text}`);
    }
    this.#push({ kind: "sign", text, line });
    if (text === "(" || text === "[" || text === "{") this.#open.push(text);
  }

  #template(line: number): void {
    this.#position += 1;
    this.#templateRest(line);
  }

  #templateRest(line: number): void {
    const text = this.#take(/(?:[^`\\$]|\\[^]|\$(?!\{))*/y) ?? "";
    this.#push({ kind: "template", text, line });
    const end = this.#take(/`|\$\{/y);
    if (end === undefined) throw new Error(`line ${line}: unclosed template`);
    if (end === "${") this.#open.push("`");
  }

  #regexMayBegin(): boolean {
    const before = this.#tokens.at(-1);
    if (!before) return true;
    // A slash behind ${.
    if (before.kind === "template") return this.#open.at(-1) === "`";
    if (before.kind === "name") return WORDS_BEFORE_REGEX.has(before.text);
    return before.kind === "sign" && before.text !== ")" && before.text !== "]" && before.text !== "}";
  }

  #push(token: Omit<Token, "depth">): void {
    this.#tokens.push({ ...token, depth: this.#open.length });
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#position;
    const text = pattern.exec(this.#source)?.[0];
    if (text === undefined) return undefined;
    this.#position += text.length;
    this.#line += text.split("\n").length - 1;
    return text;
  }
}
