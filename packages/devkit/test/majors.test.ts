import express from 'express'
import { Redis } from 'ioredis'
import { expect, it } from 'vitest'

// A matrix that names a major and runs another would prove nothing.
it('runs on the major of Express that EXPRESS_MAJOR names, else on 5', () => {
  const major = 'query' in express ? '4' : '5'
  expect(major).toBe(process.env.EXPRESS_MAJOR ?? '5')
})

it('runs on the major of ioredis that IOREDIS_MAJOR names, else on 6', () => {
  const { options } = new Redis({ lazyConnect: true })
  const major = 'protocol' in options && options.protocol === 3 ? '6' : '5'
  expect(major).toBe(process.env.IOREDIS_MAJOR ?? '6')
})
