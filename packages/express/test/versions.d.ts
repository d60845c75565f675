/** Other versions under other names: what is used of them is typed as in the newest. */
declare module 'express-4' {
  export { default } from 'express'
}

declare module 'express-4-oldest' {
  export { default } from 'express'
}

declare module 'express-5-oldest' {
  export { default } from 'express'
}
