/** An action that is compared. Unit of its size: bytes. */
export interface Shape {
  readonly members: number
  readonly bytes: number
}

export const TYPICAL: Shape = { members: 4, bytes: 400 }
export const FEW_MEMBERS: Shape = { members: 4, bytes: 1_600 }
export const MANY_MEMBERS: Shape = { members: 32, bytes: 12_800 }
export const LARGE: Shape = { members: 4, bytes: 64_000 }

export const SHAPES: readonly Shape[] = [
  { members: 1, bytes: 200 },
  TYPICAL,
  FEW_MEMBERS,
  { members: 8, bytes: 3_200 },
  { members: 16, bytes: 6_400 },
  MANY_MEMBERS,
  LARGE,
]

export const shapeName = ({ members, bytes }: Shape) => `${members} members, ${bytes} B`
