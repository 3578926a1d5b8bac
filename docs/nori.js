// Code that is included from inside a function comes with that function's indentation. Take it off.
for (const code of document.querySelectorAll("pre code.language-rust")) {
  const lines = code.textContent.split("\n").filter((line) => line.trim() !== "");
  const depth = Math.min(...lines.map((line) => line.length - line.trimStart().length));
  if (depth > 0 && Number.isFinite(depth)) {
    code.innerHTML = code.innerHTML.replace(new RegExp(`^ {${depth}}`, "gm"), "");
  }
}
