// Copies what pages need out of node_modules, and gathers the icons that the
// templates name into one file.
import { copyFileSync, readFileSync, readdirSync, writeFileSync } from "node:fs";

const out = "static/assets/";
copyFileSync("node_modules/@tabler/core/dist/css/tabler.min.css", out + "tabler.min.css");
copyFileSync("node_modules/htmx.org/dist/htmx.min.js", out + "htmx.min.js");

const names = new Set();
for (const file of readdirSync("views").filter((f) => f.endsWith(".templ"))) {
  const text = readFileSync("views/" + file, "utf8");
  for (const [, name] of text.matchAll(/\bicon\("([a-z0-9-]+)"\)/g)) names.add(name);
}

const symbols = [...names].sort().map((name) => {
  const svg = readFileSync(`node_modules/lucide-static/icons/${name}.svg`, "utf8");
  const shapes = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
  return `<symbol id="${name}" viewBox="0 0 24 24">${shapes.replace(/\s+/g, " ").trim()}</symbol>`;
});
const licence = "<!-- Icons: lucide-static, ISC and MIT; see NOTICE. -->";
writeFileSync(out + "icons.svg", `${licence}\n<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join("\n")}\n</svg>\n`);
