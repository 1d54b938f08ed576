/** The look of lists and maps in brackets, in text that is written anew. */
import { isNode, isPair, type Node, visit, type YAMLMap, type YAMLSeq } from "yaml";

/**
 * A list or map on one line keeps its brackets, with blanks inside of them or without, as it is in `source`. One of several lines
 * loses its brackets.
 */
export function keepFlowStyle(tree: Node, source: string): void {
  visit(tree, {
    Collection: (_, node) => {
      const [start, end] = node.range ?? [0, 0];
      if (node.flow !== true) return;
      if (source.slice(start, end).includes("\n")) removeBrackets(node);
      else if (/[[{]/.test(source.charAt(start))) pad(node, source.charAt(start + 1) === " " ? " " : "");
    },
  });
}

/** The first item follows its key at once. */
function removeBrackets(node: YAMLMap | YAMLSeq): void {
  const [first] = node.items;
  node.flow = first === undefined;
  const lead = isPair(first) ? first.key : first;
  if (isNode(lead)) lead.spaceBefore = false;
}

/** The library has one padding for a whole document. */
function pad(node: YAMLMap | YAMLSeq, padding: string): void {
  const write = node.toString.bind(node);
  node.toString = (context, ...callbacks) =>
    write(context && { ...context, flowCollectionPadding: padding }, ...callbacks);
}
