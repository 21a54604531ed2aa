// Express 4 under an alias: the tests use only what both majors have, so the types of 5 serve.
declare module 'express4' {
  export { default } from 'express'
}
