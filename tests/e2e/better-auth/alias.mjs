// `@/lib/auth` is lib/auth.js under BUILD, as Next.js resolves it: node --import ./alias.mjs
import { register } from "node:module";
import { pathToFileURL } from "node:url";

const root = JSON.stringify(pathToFileURL(`${process.env.BUILD}/`).href);
const hook = `export const resolve = (name, context, next) =>
  next(name.startsWith("@/") ? new URL(name.slice(2) + ".js", ${root}).href : name, context);`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
