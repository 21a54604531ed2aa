// Runs on a thread of its own: making documents takes the processor, and requests go on meanwhile. JavaScript, because a thread is
// started without the compiler that `npm run dev` has.

/**
 * What is kept about a user, as a page that they can take along.
 *
 * @param {import('../services/profiles.js').Profile} profile
 * @returns {string}
 */
export function profileDocument(profile) {
  const rows = Object.entries(profile).map(
    ([name, value]) => `<tr><th scope="row">${escaped(name)}</th><td>${escaped(value ?? '')}</td></tr>`,
  )
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Your profile</title><table>${rows.join('')}</table></html>`
}

/**
 * @param {string} text
 * @returns {string}
 */
function escaped(text) {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
