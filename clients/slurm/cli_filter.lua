-- Tells users of sbatch, salloc and srun what the planner thinks of their job, before it is submitted. Advice alone: it changes and refuses nothing,
-- and says nothing where the planner is silent. Copy it beside slurm.conf, with CliFilterPlugins=lua. Needs Debian's lua-socket.

local SOCKET = os.getenv("PLANNER_SLURM_ADVICE_SOCKET") or "/run/planner-slurm/advice.sock"
local BUDGET_SECONDS = 0.06  -- job_submit.lua waits after it.
local MOST_COMMENT = 8192
local MOST_ANSWER = 65536

local function escape(value)
  return (tostring(value):gsub("[^%w%-_%.:/,=]", function(c) return string.format("%%%02x", c:byte()) end))
end

local function printable(text)
  text = text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  return (text:gsub("%c", "?"):sub(1, 1000))
end

-- The options as the planner calls them. sbatch shows an unset --time as a very long one, which is no time limit then.
local OPTIONS = { gres = "gres", gpus = "gpus", ["gpus-per-node"] = "gpus_per_node", ["gpus-per-socket"] = "gpus_per_socket",
  ["gpus-per-task"] = "gpus_per_task", nodes = "nodes", ntasks = "tasks", ["ntasks-per-node"] = "tasks_per_node",
  ["sockets-per-node"] = "sockets_per_node", partition = "partition", account = "account", comment = "comment" }

-- As job_submit.lua has them.
local ENVIRONMENT = { "MODEL", "PLAN", "TOKENS", "SAMPLES", "EPOCHS", "SEQ_LEN", "GLOBAL_BATCH", "PRECISION", "OPTIMIZER", "RECOMPUTE", "FINETUNE",
  "LORA_RANK", "FRAMEWORK", "ATTENTION", "DEADLINE", "BUDGET", "TP", "PP", "VPP", "DP", "CP", "EP", "SEQUENCE_PARALLEL", "MICRO_BATCH", "ZERO",
  "SHARD_GROUP", "UTILIZATION", "MFU", "ASSUME_ARCHITECTURE", "FIXED", "RESUME" }

local function advise(options)
  local lines = { "planner-slurm 1" }
  local gpus, words = false, false
  for option, name in pairs(OPTIONS) do
    local value = options[option]
    -- One task is also what an unset --ntasks looks like.
    if option == "ntasks" and value == "1" then value = nil end
    if type(value) == "string" and value ~= "" and value ~= "-2" and #value <= MOST_COMMENT then
      lines[#lines + 1] = name .. "=" .. escape(value)
      gpus = gpus or name:find("^g") ~= nil
      words = words or (name == "comment" and value:find("planner:", 1, true) ~= nil)
    end
  end
  for _, word in ipairs(ENVIRONMENT) do
    local value = os.getenv("PLANNER_" .. word)
    if value and value ~= "" and #value <= MOST_COMMENT then
      lines[#lines + 1] = "env.PLANNER_" .. word .. "=" .. escape(value)
      words = words or word == "MODEL" or word == "PLAN"
    end
  end
  if not (gpus and words) then return end
  if options["exclusive"] == "exclusive" then lines[#lines + 1] = "exclusive=1" end
  local time = options["time"]
  if type(time) == "string" and #time < 16 then lines[#lines + 1] = "time_limit=" .. escape(time) end
  lines[#lines + 1] = "end\n"
  local socket, unix = require("socket"), require("socket.unix")
  local deadline = socket.gettime() + BUDGET_SECONDS
  local connection = unix.stream and unix.stream() or unix()
  connection:settimeout(BUDGET_SECONDS, "t")
  local ok = connection:connect(SOCKET) and connection:send(table.concat(lines, "\n"))
  local text = ""
  while ok and #text < MOST_ANSWER do
    connection:settimeout(math.max(deadline - socket.gettime(), 0.001), "t")
    local chunk, status, rest = connection:receive(4096)
    text = text .. (chunk or rest or "")
    if status then break end
  end
  connection:close()
  if text:sub(1, 16) ~= "planner-slurm 1\n" or text:sub(-5) ~= "\nend\n" or text:find("\nfailed=1\n", 1, true) then return end
  for message in text:gmatch("\nmessage=([%w%-_%.:/,=%%]*)") do slurm.log_info("planner: %s", printable(message)) end
end

function slurm_cli_setup_defaults(options, early)
  return slurm.SUCCESS
end

function slurm_cli_pre_submit(options, pack_offset)
  pcall(advise, options)
  return slurm.SUCCESS
end

function slurm_cli_post_submit(offset, job_id, step_id)
  return slurm.SUCCESS
end

return slurm.SUCCESS
