/** Parses the filter of a capture. As in tcpdump `and` and `or` bind alike, from left to right, and `not` binds more tightly. */
import { formatPrefix, network, parseIp, parsePrefix } from "../net/ip.ts";
import { didYouMean, quote } from "../text/problem.ts";
import { type Filter, PROTOCOLS, type ProtocolName } from "./filter.ts";

/** Longer filters are refused. */
const MAX_CHARACTERS = 2_000;
const HIGHEST_PORT = 65_535;

export type ParsedFilter =
  | { readonly ok: true; readonly filter: Filter }
  /** `column` counts characters from 1. */
  | { readonly ok: false; readonly column: number; readonly message: string };

interface Word {
  readonly text: string;
  readonly column: number;
}

/** A problem of a filter, thrown inside the parser. */
class FilterProblem extends Error {
  readonly column: number;

  constructor(column: number, message: string) {
    super(message);
    this.column = column;
  }
}

/** Returns a filter, or its first problem as a sentence without a full stop. An empty text is a problem. */
export function parseFilter(text: string): ParsedFilter {
  if (text.length > MAX_CHARACTERS)
    return {
      ok: false,
      column: MAX_CHARACTERS + 1,
      message: `it is longer than ${MAX_CHARACTERS} characters`,
    };
  const words = [...text.matchAll(/[()]|[^\s()]+/gu)].map((match) => ({
    text: match[0],
    column: match.index + 1,
  }));
  try {
    return { ok: true, filter: new Parser(words, text.length + 1).whole() };
  } catch (error) {
    if (!(error instanceof FilterProblem)) throw error;
    return { ok: false, column: error.column, message: error.message };
  }
}

const NOUNS = ["host", "net", "port"] as const;
const BEGINNINGS: readonly string[] = [...NOUNS, ...PROTOCOLS, "not"];

class Parser {
  readonly #words: readonly Word[];
  readonly #end: number;
  #next = 0;

  constructor(words: readonly Word[], end: number) {
    this.#words = words;
    this.#end = end;
  }

  whole(): Filter {
    const filter = this.#row();
    const rest = this.#take();
    if (!rest) return filter;
    if (rest.text === ")") throw new FilterProblem(rest.column, `")" closes nothing`);
    const meant = didYouMean(rest.text, ["and", "or"]);
    throw new FilterProblem(
      rest.column,
      `${quote(rest.text)} stands where and, or or the end belongs${meant}`,
    );
  }

  /** X and Y or Z … */
  #row(): Filter {
    let left = this.#one();
    for (let type = this.#peek(); type === "and" || type === "or"; type = this.#peek()) {
      this.#next++;
      left = { type, left, right: this.#one() };
    }
    return left;
  }

  #one(): Filter {
    const word = this.#must("host, net, port, a protocol, not or ( belongs here");
    switch (word.text) {
      case "not":
        return { type: "not", of: this.#one() };
      case "(":
        return this.#inParentheses(word);
      case "host":
        return this.#host();
      case "net":
        return this.#net();
      case "port":
        return this.#port();
      default:
        return this.#protocol(word);
    }
  }

  #inParentheses(open: Word): Filter {
    const inside = this.#row();
    const close = this.#take();
    if (close?.text === ")") return inside;
    if (!close) throw new FilterProblem(open.column, `"(" is not closed`);
    throw new FilterProblem(close.column, `${quote(close.text)} stands where and, or or ) belongs`);
  }

  #host(): Filter {
    const word = this.#must("an address belongs behind host");
    const address = parseIp(word.text);
    if (address) return { type: "host", address };
    const why = word.text.includes("/")
      ? `${quote(word.text)} is not an address: net takes prefixes`
      : undefined;
    throw new FilterProblem(word.column, why ?? `${quote(word.text)} is not an IP address`);
  }

  #net(): Filter {
    const word = this.#must("a prefix belongs behind net");
    const prefix = parsePrefix(word.text);
    if (!prefix)
      throw new FilterProblem(
        word.column,
        `${quote(word.text)} is not a prefix: it is written like 10.0.0.0/8`,
      );
    const own = formatPrefix(network(prefix));
    if (formatPrefix(prefix) === own) return { type: "net", prefix };
    throw new FilterProblem(
      word.column,
      `${quote(word.text)} has bits beyond its length: did you mean ${own}?`,
    );
  }

  #port(): Filter {
    const word = this.#must("a number belongs behind port");
    const port = Number(word.text);
    if (/^\d{1,5}$/.test(word.text) && port <= HIGHEST_PORT) return { type: "port", port };
    throw new FilterProblem(
      word.column,
      `${quote(word.text)} is not a port: it is a number up to ${HIGHEST_PORT}`,
    );
  }

  #protocol({ text, column }: Word): Filter {
    if (isProtocol(text)) return { type: "protocol", name: text };
    throw new FilterProblem(
      column,
      ["and", "or", ")"].includes(text)
        ? `${quote(text)} has nothing before it`
        : `${quote(text)} is not a word of a filter${didYouMean(text, BEGINNINGS)}`,
    );
  }

  #peek(): string | undefined {
    return this.#words[this.#next]?.text;
  }

  #take(): Word | undefined {
    return this.#words[this.#next++];
  }

  #must(expected: string): Word {
    const word = this.#take();
    if (word) return word;
    throw new FilterProblem(this.#end, `it ends too early: ${expected}`);
  }
}

function isProtocol(text: string): text is ProtocolName {
  return PROTOCOLS.some((each) => each === text);
}
