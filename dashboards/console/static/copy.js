// Copies a secret at the press of a button. Without this file one selects it: a click takes all of it.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  const told = document.querySelector("[data-copied]");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      told.textContent = "Copied.";
    } catch {
      told.textContent = "The browser does not allow it: select the text.";
    }
  });
}
