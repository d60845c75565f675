import { Controller, Get } from '@nestjs/common'

/** One route with a parameter, `GET /cats/:id`, which answers `cat`. */
@Controller('cats')
export class CatsController {
  @Get(':id')
  one(): string {
    return 'cat'
  }
}
