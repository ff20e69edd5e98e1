// Light or dark: as the system has it, until the reader says otherwise.

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
const onTheme = [];

const isDark = () => (document.documentElement.dataset.theme || (systemIsDark.matches ? "dark" : "light")) === "dark";
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function themeChanged() {
  const button = byId("theme");
  button.textContent = isDark() ? "Light" : "Dark";
  button.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`);
  for (const redraw of onTheme) redraw();
}

function startTheme() {
  byId("theme").hidden = false;
  byId("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    themeChanged();
  });
  systemIsDark.addEventListener("change", themeChanged);
  themeChanged();
}
