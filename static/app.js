// Small comforts; every page works without them.
document.addEventListener("click", async (event) => {
  const menu = event.target.closest("[data-menu]");
  if (menu) menu.setAttribute("aria-expanded", menu.getAttribute("aria-expanded") !== "true");

  if (event.target.closest("[data-print]")) print();

  // <button data-copy="ID OF AN ELEMENT"> copies that element's text.
  const copy = event.target.closest("[data-copy]");
  if (!copy) return;
  const source = document.getElementById(copy.dataset.copy);
  const said = copy.querySelector("[data-said]");
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    said.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source);
    said.textContent = "Selected, press Ctrl+C";
  }
  setTimeout(() => (said.textContent = "Copy"), 2000);
});
