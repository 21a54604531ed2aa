import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Priority, TaskQueue } from '../src/queue/task-queue.js'

it('gives the most important first, the first of equals, and each once (generated)', () => {
  const step = fc.record({
    what: fc.constantFrom('add', 'add', 'take', 'remove', 'displace'),
    priority: fc.nat(3),
    at: fc.nat(20),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new TaskQueue<{ priority: Priority; id: number }>()
      const plain: { priority: Priority; id: number }[] = []
      const remove = (task: (typeof plain)[number] | undefined): void => {
        if (task !== undefined) plain.splice(plain.indexOf(task), 1)
      }
      for (const [id, { what, at, ...rest }] of steps.entries()) {
        const priority = rest.priority as Priority
        const ordered = [...plain].sort((a, b) => a.priority - b.priority || a.id - b.id)
        if (what === 'add') {
          const task = { priority, id }
          queue.add(task)
          plain.push(task)
        } else if (what === 'take') {
          expect(queue.take()).toBe(ordered[0])
          remove(ordered[0])
        } else if (what === 'remove') {
          const task = plain[at] ?? { priority, id }
          expect(queue.remove(task)).toBe(plain.includes(task))
          if (plain.includes(task)) remove(task)
        } else {
          const least = ordered.at(-1)?.priority ?? 0
          const displaced = least > priority ? ordered.find((task) => task.priority === least) : undefined
          expect(queue.lessImportantThan(priority)).toBe(displaced)
        }
        expect(queue.size).toBe(plain.length)
      }
    }),
  )
})
