// Small comforts; every page works without them.
(() => {
  // An error summary takes the focus.
  const focus = () => document.querySelector("[data-focus]")?.focus();
  document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", focus) : focus();

  // <button data-copy="ID OF AN ELEMENT"> copies that element's text.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    const said = button.querySelector("[data-said]");
    const before = said.textContent;
    try {
      await navigator.clipboard.writeText((source.value ?? source.textContent).trim());
      said.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      said.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => (said.textContent = before), 2000);
  });
})();
