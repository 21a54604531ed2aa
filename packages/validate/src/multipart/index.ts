export { MultipartRefused } from './errors.js'
export { type MultipartMiddleware, multipart } from './multipart.js'
export { type FileRule, type IncomingFile, type MultipartOptions, multipartDefaults } from './options.js'
export { UploadedFile } from './uploaded-file.js'
