/**
 * What makes two spellings of an e-mail address one account: capitals of ASCII, and nothing else.
 *
 * The same everywhere that an account is counted, looked up or kept unique (the index `users_account` says it in SQL). With
 * two ideas of it a quota on sign-ins counts `İ` where the database reads `i`, and every spelling brings new guesses.
 */
export function accountKey(email: string): string {
  return email.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}
