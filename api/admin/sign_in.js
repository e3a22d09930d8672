const form = document.querySelector("form");
const problem = document.getElementById("problem");

const told = async (answer) => {
  const said = await answer.json().catch(() => null);
  return said?.error?.message ?? `the server answers ${answer.status}`;
};

// A link from another site comes without the cookie, although the browser may have signed in.
const enter = async () => {
  const answer = await fetch("api/user/");
  if (answer.ok) location.reload();
  return answer;
};

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  try {
    const token = new FormData(form).get("token").trim();
    const headers = { "content-type": "application/json" };
    const signedIn = await fetch("../session", { method: "POST", headers, body: JSON.stringify({ token }) });
    const answer = signedIn.ok ? await enter() : signedIn;
    if (!answer.ok) problem.textContent = await told(answer);
  } catch {
    problem.textContent = "the server does not answer; try again";
  }
});

enter().catch(() => {});
