declare const brand: unique symbol;

/**
 * A type of its own over a plain value, so that one id is never passed for another. It costs
 * nothing at run time. Made by an `as` in the one function that vouches for the value.
 */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
