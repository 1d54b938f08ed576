/** Keeps the look of lists and maps in brackets when text is written again. */
import { isNode, isPair, type Node, visit, type YAMLMap, type YAMLSeq } from "yaml";

/**
 * A list or map on one line keeps its brackets, and the blanks inside of them, as in `source`. A list or map on several lines
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

/** Writes the node as a block. Its first item follows the key without an empty line. */
function removeBrackets(node: YAMLMap | YAMLSeq): void {
  const [first] = node.items;
  node.flow = first === undefined;
  const lead = isPair(first) ? first.key : first;
  if (isNode(lead)) lead.spaceBefore = false;
}

/** Sets the padding of one node. The library has one padding for a whole document. */
function pad(node: YAMLMap | YAMLSeq, padding: string): void {
  const write = node.toString.bind(node);
  node.toString = (context, ...callbacks) =>
    write(context && { ...context, flowCollectionPadding: padding }, ...callbacks);
}
