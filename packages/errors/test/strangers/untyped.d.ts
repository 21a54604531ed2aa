declare module 'jsonwebtoken'
declare module 'passport'
declare module 'superagent'
