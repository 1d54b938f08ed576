/** The parameters that name a device of this host, as upstream has them: its namespace and its name. */
import { interfaceNameProblem } from "../net/interface-name.ts";
import { quote } from "../text/problem.ts";

/** The problems of these parameters, as parts of a sentence. */
export function deviceProblems(inodeUrl: string, name: string): string[] {
  const found: string[] = [];
  if (!/^(file:\/\/\/[^\p{Cc}]{1,1024}|inode:\/\/[0-9]{1,20}\/[0-9]{1,20})$/u.test(inodeUrl)) {
    found.push(`inodeURL ${quote(inodeUrl)} is neither file:///path nor inode://device/inode`);
  }
  if (/^file:\/\/\/proc\/(self|thread-self)\//.test(inodeUrl)) {
    found.push(`inodeURL ${quote(inodeUrl)} is another namespace for everybody who reads it`);
  }
  const nameProblem = interfaceNameProblem(name);
  if (nameProblem) found.push(`the interface name ${quote(name)} ${nameProblem}`);
  return found;
}
