// The log's menus, its links to copy, and a sign that a search is under way.
"use strict";
{
  const menus = [...document.querySelectorAll("details.menu")];

  // One menu is open at a time; Escape, or a click elsewhere, closes it.
  for (const menu of menus) {
    menu.addEventListener("toggle", () => menu.open && menus.forEach((other) => other !== menu && (other.open = false)));
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  }
  document.addEventListener("click", (event) => menus.forEach((menu) => menu.contains(event.target) || (menu.open = false)));

  async function copy(link, button, said) {
    try {
      await navigator.clipboard.writeText(link.href);
      button.textContent = "Copied";
      said.textContent = "The link was copied";
    } catch {
      // Without TLS there is no clipboard: then it is there to be copied by hand.
      const box = made("input", { readonly: "", value: link.href, "aria-label": "The link" });
      button.replaceWith(box);
      box.select();
    }
  }
  for (const link of document.querySelectorAll("[data-copy]")) {
    const button = made("button", { type: "button", class: "small" }, "Copy");
    const said = made("span", { class: "hidden", role: "status" });
    button.setAttribute("aria-label", `Copy: ${link.textContent}`);
    button.addEventListener("click", () => copy(link, button, said));
    link.after(" ", button, said);
  }

  // What was typed and not sent yet goes along to other times, and to Tenantry's own events.
  const box = document.getElementById("q");
  for (const link of document.querySelectorAll(".ranges a.chip")) {
    link.addEventListener("click", () => {
      const page = new URL(link.href);
      if (box.value.trim()) page.searchParams.set("q", box.value.trim());
      else page.searchParams.delete("q");
      link.href = page.href;
    });
  }

  // Searching a long log takes a moment.
  const main = document.querySelector("main");
  document.querySelector("form.ask")?.addEventListener("submit", () => main.setAttribute("aria-busy", "true"));
  window.addEventListener("pageshow", () => main.removeAttribute("aria-busy"));
}
