export interface Book {
  readonly isbn: string
  readonly title: string
  readonly author: string
  readonly genre: string
  /** Euros. */
  readonly price: number
}

/** What the shop sells. */
export const CATALOGUE: readonly Book[] = [
  book('9780000000019', 'Middlemarch', 'George Eliot', 'novel', 14),
  book('9780000000026', 'Moby-Dick', 'Herman Melville', 'novel', 16),
  book('9780000000033', 'Bleak House', 'Charles Dickens', 'novel', 13),
  book('9780000000040', 'Persuasion', 'Jane Austen', 'novel', 9),
  book('9780000000057', 'Dead Souls', 'Nikolai Gogol', 'novel', 12),
  book('9780000000064', 'Leaves of Grass', 'Walt Whitman', 'poetry', 11),
  book('9780000000071', 'Goblin Market', 'Christina Rossetti', 'poetry', 8),
  book('9780000000088', 'Songs of Innocence', 'William Blake', 'poetry', 10),
  book('9780000000095', 'Prometheus Unbound', 'Percy Bysshe Shelley', 'drama', 12),
  book('9780000000101', 'Prometheus Bound', 'Aeschylus', 'drama', 7),
  book('9780000000118', 'Hedda Gabler', 'Henrik Ibsen', 'drama', 8),
  book('9780000000125', 'On the Origin of Species', 'Charles Darwin', 'science', 19),
  book('9780000000132', 'The Elements', 'Euclid', 'science', 34),
  book('9780000000149', 'A Treatise on Electricity', 'James Clerk Maxwell', 'science', 45),
]

export const GENRES: readonly string[] = [...new Set(CATALOGUE.map(({ genre }) => genre))]

function book(isbn: string, title: string, author: string, genre: string, price: number): Book {
  return { isbn, title, author, genre, price }
}
