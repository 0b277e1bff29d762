/** Lua: whether the entry id `a` comes before `b`. Their parts have up to 64 bits, more than a number of Lua holds. */
export const LUA_BEFORE = `
local function before(a, b)
  local ams, aseq = a:match('(%d+)-(%d+)')
  local bms, bseq = b:match('(%d+)-(%d+)')
  if ams == bms then ams, bms = aseq, bseq end
  if #ams ~= #bms then return #ams < #bms end
  return ams < bms
end
`

/** Lua: the fields of a reply of XINFO by name. */
export const LUA_NAMED = `
local function named(fields)
  local values = {}
  for i = 1, #fields, 2 do values[fields[i]] = fields[i + 1] end
  return values
end
`
