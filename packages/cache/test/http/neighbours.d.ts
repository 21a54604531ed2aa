// They bring no types of their own.
declare module 'compression'
declare module 'cookie-parser'
declare module 'cors'
declare module 'morgan'
declare module 'passport'
declare module 'serve-static'
