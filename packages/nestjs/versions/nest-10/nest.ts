/** This version of Nest, for the tests of `@narthex/nestjs` to stand in for the one that they import. */
export * as common from '@nestjs/common'
export * as core from '@nestjs/core'
export * as microservices from '@nestjs/microservices'
export * as platformExpress from '@nestjs/platform-express'
export * as platformFastify from '@nestjs/platform-fastify'
export * as testing from '@nestjs/testing'

/** Its own copy of Express, which an application has beside it: where it is. */
export const platformExpressUrl = import.meta.resolve('@nestjs/platform-express')
