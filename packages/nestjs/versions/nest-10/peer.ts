/** What people come from who are on this version of Nest. */
export * as peer from '@willsoto/nestjs-prometheus'
export { register } from 'prom-client'
