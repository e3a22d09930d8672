// Piccolo Admin would ask for a name and a password here; a session that has ended begins anew at our own door.
new MutationObserver(() => {
  if (location.hash.startsWith("#/login")) location.replace(location.pathname);
}).observe(document.documentElement, { childList: true, subtree: true });

// Going back to the row that was shown last leaves fields of its form empty; loaded anew, they are filled.
addEventListener("hashchange", () => location.reload());
