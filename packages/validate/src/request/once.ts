/** The function, run at its first call only. */
export function once<Given extends unknown[], Made>(
  make: (...given: Given) => Made,
): (...given: Given) => Made {
  let made: { value: Made } | undefined
  return (...given) => {
    made ??= { value: make(...given) }
    return made.value
  }
}
