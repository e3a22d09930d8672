// The page is whole without this: it narrows the list of procedures, and says where the page came from.
const search = document.getElementById("search");
search.parentElement.hidden = false;
search.addEventListener("input", () => {
  const wanted = search.value.toLowerCase();
  for (const item of document.querySelectorAll("nav li")) {
    item.hidden = !item.dataset.text.includes(wanted);
  }
});
for (const url of document.querySelectorAll("[data-origin]")) url.textContent = location.origin;
