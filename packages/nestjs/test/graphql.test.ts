import 'reflect-metadata'
import { setTimeout as sleep } from 'node:timers/promises'
import { Registry } from '@narthex/core'
import { Counted, InProgress, PrometheusModule, Timed } from '@narthex/nestjs'
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo'
import { Injectable, Scope, UseGuards } from '@nestjs/common'
import { Args, Field, GraphQLModule, Int, Mutation, ObjectType, Query, ResolveField, Resolver } from '@nestjs/graphql'
import { expect, it } from 'vitest'
import { linesOf, start } from './start.ts'

/** What `emitDecoratorMetadata` would have the compiler write: GraphQL asks for it where there are arguments. */
const typed = (...types: unknown[]): MethodDecorator => Reflect.metadata('design:paramtypes', types)

@ObjectType()
class Author {
  @Field(() => String)
  name!: string
}

@ObjectType()
class Book {
  @Field(() => Int)
  id!: number
}

@Resolver(() => Book)
class BooksResolver {
  @Query(() => Book)
  @Timed({ name: 'book_seconds', labels: { even: (id: number) => id % 2 === 0 } })
  @InProgress({ name: 'books_running' })
  @typed(Number)
  async book(@Args('id', { type: () => Int }) id: number): Promise<Book> {
    await sleep(5)
    return { id }
  }

  @Counted({ name: 'authors_total' })
  @ResolveField('author', () => Author)
  author(): Author {
    return { name: 'Hesiod' }
  }

  @Mutation(() => Book)
  @Counted({ name: 'failures_total', errorsOnly: true })
  async failingBook(): Promise<Book> {
    throw new Error('burnt')
  }

  @Query(() => Book)
  @Counted({ name: 'guarded_total' })
  @UseGuards({ canActivate: () => false })
  guardedBook(): Book {
    return { id: 1 }
  }
}

@Injectable({ scope: Scope.REQUEST })
@Resolver(() => Author)
class AuthorsResolver {
  @Timed({ name: 'names_seconds' })
  @ResolveField('name', () => String)
  name(): string {
    return 'Homer'
  }
}

it('GraphQL resolvers are measured by the same decorators, and their requests counted', async () => {
  const registry = new Registry()
  const { url } = await start('express', PrometheusModule.forRoot({ registry }), {
    imports: [GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true })],
    providers: [BooksResolver, AuthorsResolver],
  })
  const ask = async (query: string): Promise<{ data?: unknown; errors?: { message: string }[] }> => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query }) })
    return (await response.json()) as { data?: unknown }
  }
  expect(await ask('{ one: book(id: 1) { id author { name } } two: book(id: 2) { id } }')).toEqual({
    data: { one: { id: 1, author: { name: 'Homer' } }, two: { id: 2 } },
  })
  expect((await ask('mutation { failingBook { id } }')).errors).toMatchObject([{ message: 'burnt' }])
  expect((await ask('{ guardedBook { id } }')).errors).toMatchObject([{ message: 'Forbidden resource' }])

  expect(registry.getSampleValue('book_seconds_count', { even: 'false' })).toBe(1)
  expect(registry.getSampleValue('book_seconds_sum', { even: 'true' })).toBeGreaterThan(0.004)
  expect(registry.getSampleValue('books_running')).toBe(0)
  expect(registry.getSampleValue('authors_total')).toBe(1)
  expect(registry.getSampleValue('names_seconds_count')).toBe(1)
  expect(registry.getSampleValue('failures_total')).toBe(1)
  // A guard refuses before the method is called.
  expect(registry.getSampleValue('guarded_total')).toBe(0)
  expect(linesOf(await registry.metrics())).toEqual(['{method="POST",route="/graphql/*",code="200"} 3'])
  expect(registry.getSampleValue('narthex_hook_errors_total', { hook: 'Timed' })).toBeUndefined()
})
