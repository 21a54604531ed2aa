import { ScaleError } from '@scale/core'

/** There is something where the app would go. Nothing was written. */
export class FolderNotEmpty extends ScaleError {
  constructor(folder: string) {
    super(`There are files in ${folder} already: name a folder that is empty, or not there yet.`, {
      code: 'ERR_SCALE_FOLDER_NOT_EMPTY',
    })
  }
}
