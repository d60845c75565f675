/** Other versions under other names: what is used of them is typed as in the newest. */
declare module 'koa-2' {
  export { default } from 'koa'
}
declare module 'koa-2-oldest' {
  export { default } from 'koa'
}
declare module 'koa-router-12' {
  export { default } from '@koa/router'
}
declare module 'koa-router-13' {
  export { default } from '@koa/router'
}
declare module 'koa-router-14' {
  export { default } from '@koa/router'
}
