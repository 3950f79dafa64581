-- Asks the planner about jobs that want GPUs, before they are queued. All that is decided is decided by `plannerctl slurm serve`; this script
-- carries the question and the answer, and holds to a time: slurmctld has locks while it runs.
-- Copy it beside slurm.conf, with JobSubmitPlugins=lua. Needs Debian's lua-socket.

local SOCKET = os.getenv("PLANNER_SLURM_SOCKET") or "/run/planner-slurm/submit.sock"
local FALLBACK = os.getenv("PLANNER_SLURM_FALLBACK") or "/var/lib/planner-slurm/fallback"
local BUDGET_SECONDS = 0.22    -- For everything; slurmctld never waits longer.
local FAILURES_TO_BREAK = 3    -- So many in a row, and the planner is not asked …
local BREAK_SECONDS = 30       -- … for so long.
local MOST_COMMENT = 8192      -- Bytes of a comment that is looked at.
local MOST_QUESTION = 65536
local MOST_ANSWER = 65536

local FIRST_LINE, LAST_LINE = "planner-slurm 1", "end"
local GPU_FIELDS = { "tres_per_job", "tres_per_node", "tres_per_socket", "tres_per_task" }

local have_socket, socket = pcall(require, "socket")
local have_unix, unix = pcall(require, "socket.unix")

local failures = 0
local broken_until = 0

local function now()
  return have_socket and socket.gettime() or os.time()
end

-- Values of users never reach a shell, a pattern or a format: they are escaped here, and arguments of "%s" elsewhere.
local function escape(value)
  return (tostring(value):gsub("[^%w%-_%.:/,=]", function(c) return string.format("%%%02x", c:byte()) end))
end

local function unescape(value)
  return (value:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- Text of the planner on its way to a terminal or a log, always as the argument of "%s": no control characters.
local function printable(text)
  return (text:gsub("%c", "?"):sub(1, 1000))
end

local function asks_for_gpus(job)
  for _, field in ipairs(GPU_FIELDS) do
    local value = job[field]
    if value and value:find("gpu", 1, true) then return true end
  end
  return false
end

local function speaks_to_planner(job)
  local comment = job.comment
  if comment and #comment <= MOST_COMMENT and comment:find("planner:", 1, true) then return true end
  local environment = job.environment  -- Of sbatch alone.
  return environment ~= nil and (environment["PLANNER_MODEL"] ~= nil or environment["PLANNER_PLAN"] ~= nil)
end

-- All words of a job (clients/plannerctl/job_request.cc), as variables.
local ENVIRONMENT = { "MODEL", "PLAN", "TOKENS", "SAMPLES", "EPOCHS", "SEQ_LEN", "GLOBAL_BATCH", "PRECISION", "OPTIMIZER", "RECOMPUTE", "FINETUNE",
  "LORA_RANK", "FRAMEWORK", "ATTENTION", "DEADLINE", "BUDGET", "TP", "PP", "VPP", "DP", "CP", "EP", "SEQUENCE_PARALLEL", "MICRO_BATCH", "ZERO",
  "SHARD_GROUP", "UTILIZATION", "MFU", "ASSUME_ARCHITECTURE", "FIXED", "RESUME" }

local function question_of(job, partitions, uid)
  local lines = { FIRST_LINE }
  local function add(name, value)
    if value ~= nil and value ~= "" then lines[#lines + 1] = name .. "=" .. escape(value) end
  end
  for _, field in ipairs(GPU_FIELDS) do add(field, job[field]) end
  add("nodes", job.min_nodes)
  add("tasks", job.num_tasks)
  add("tasks_per_node", job.ntasks_per_node)
  add("sockets_per_node", job.sockets_per_node)
  if job.shared == 0 then add("exclusive", "1") end  -- All GPUs of its nodes, then.
  add("time_limit", job.time_limit)
  local name = job.partition
  -- Of several partitions ("a,b") the longest limit: Slurm starts a job where it fits.
  local longest
  for one, partition in pairs(partitions or {}) do
    if name == nil and partition.flag_default == 1 then name = one end
    if name and ("," .. name .. ","):find("," .. one .. ",", 1, true) then longest = math.max(longest or 0, partition.max_time or 0) end
  end
  if longest and longest > 0 then add("partition_time_limit", string.format("%.0f", longest)) end
  add("partition", name)
  add("account", job.account)
  add("user", uid)
  add("name", job.name and job.name:sub(1, 256))
  if job.comment and #job.comment <= MOST_COMMENT then add("comment", job.comment) end
  local environment = job.environment
  if environment then
    for _, word in ipairs(ENVIRONMENT) do add("env.PLANNER_" .. word, environment["PLANNER_" .. word]) end
  end
  lines[#lines + 1] = LAST_LINE .. "\n"
  return table.concat(lines, "\n"), name
end

-- The answer's lines as a table, message as a list; nil and the reason where it is none.
local function read_answer(text)
  local answer = { message = {} }
  local number, ended = 0, false
  for line in text:gmatch("([^\n]*)\n") do
    number = number + 1
    if ended then return nil, "goes on after its end" end
    if number == 1 then
      if line ~= FIRST_LINE then return nil, "is not the planner's" end
    elseif line == LAST_LINE then
      ended = true
    else
      local name, value = line:match("^([%w_%-%.]+)=([%w%-_%.:/,=%%]*)$")
      if not name then return nil, "has a line that is no name=value" end
      if name == "message" then
        answer.message[#answer.message + 1] = unescape(value)
      else
        answer[name] = unescape(value)
      end
    end
  end
  if not ended then return nil, "has no end" end
  if answer.action ~= "leave" and answer.action ~= "accept" and answer.action ~= "refuse" then return nil, "names no action" end
  return answer
end

-- The answer's text; nil and the reason. Never longer than until `deadline`.
local function ask(question, deadline)
  if not (have_socket and have_unix) then return nil, "lua-socket is not installed" end
  if #question > MOST_QUESTION then return nil, "the question is too long" end
  local connection = unix.stream and unix.stream() or unix()
  local function left() return math.max(deadline - now(), 0.001) end
  connection:settimeout(left(), "t")
  local ok, failure = connection:connect(SOCKET)
  if ok then
    ok, failure = connection:send(question)
  end
  local parts, size = {}, 0
  while ok do
    connection:settimeout(left(), "t")
    local chunk, status, rest = connection:receive(4096)
    chunk = chunk or rest or ""
    parts[#parts + 1] = chunk
    size = size + #chunk
    if size > MOST_ANSWER then ok, failure = nil, "the answer is too long" end
    if status == "closed" then break end
    if status then ok, failure = nil, status end
  end
  connection:close()
  if not ok then return nil, failure end
  return table.concat(parts)
end

-- What the policy says for a partition while nobody answers: read when it is needed, and open where it cannot be.
local function is_closed(partition)
  local file = io.open(FALLBACK, "r")
  if not file then return false end
  local text = file:read(MOST_ANSWER) or ""
  file:close()
  local rules = {}
  for line in text:gmatch("([^\n]*)\n") do
    local name, value = line:match("^([^=]+)=(%a+)$")
    if name then rules[name] = value end
  end
  partition = partition or ""
  if rules["on_failure." .. partition] then return rules["on_failure." .. partition] == "closed" end
  -- Of several partitions the strictest one holds.
  for one in (partition .. ","):gmatch("([^,]*),") do
    if (rules["on_failure." .. one] or rules["on_failure"]) == "closed" then return true end
  end
  return false
end

local function without_planner(partition, why)
  if is_closed(partition) then
    slurm.log_error("planner: %s: the job is refused (policy: closed)", printable(why))
    slurm.log_user("planner: the planner does not answer, and this partition takes no job without a plan; try again later")
    return slurm.ERROR
  end
  slurm.log_error("planner: %s: the job is taken without a plan (policy: open)", printable(why))
  slurm.log_user("planner: the planner does not answer: the job is taken without a plan")
  return slurm.SUCCESS
end

local function count_failure()
  failures = failures + 1
  if failures >= FAILURES_TO_BREAK then
    failures = 0
    broken_until = now() + BREAK_SECONDS
    slurm.log_error("planner: has failed %d times in a row: not asked for %d s", FAILURES_TO_BREAK, BREAK_SECONDS)
  end
end

-- Sets what the answer says, where it is of the right kind; everything else stays as the user wants it.
local function amend(job, answer)
  local minutes = tonumber(answer.time_limit)
  if minutes and minutes >= 1 and minutes < 4294967294 then job.time_limit = math.floor(minutes) end
  -- The GPUs, and what the user has asked for beside them.
  if answer.tres_value and answer.tres_value:match("^[%w/]*:?gpu[%w%-_%.:=/,]*$") then
    for _, field in ipairs(GPU_FIELDS) do
      if answer.tres_field == field then job[field] = answer.tres_value end
    end
  end
  local nodes = tonumber(answer.nodes)
  if nodes and nodes >= 1 and nodes <= 1000000 then
    job.min_nodes = math.floor(nodes)
    job.max_nodes = math.floor(nodes)
  end
  if answer.plan and answer.plan:match("^plans/[%w%-]+$") and #answer.plan <= 128 then
    local before = job.admin_comment
    job.admin_comment = (before and before ~= "" and before .. "; " or "") .. "planner:plan=" .. answer.plan
    -- For the training, which reports itself with it (clients/python). Not PLANNER_PLAN: a job that this one submits would ask for the same plan.
    if job.environment then pcall(function() job.environment["PLANNER_PLAN_ID"] = answer.plan end) end
  end
end

local function check(job, partitions, uid)
  if not asks_for_gpus(job) or not speaks_to_planner(job) then return slurm.SUCCESS end
  local start = now()
  local question, partition = question_of(job, partitions, uid)
  if start < broken_until then
    return without_planner(partition, string.format("not asked for %.0f s more after failures", broken_until - start))
  end
  local text, failure = ask(question, start + BUDGET_SECONDS)
  local answer
  if text then
    answer, failure = read_answer(text)
    if failure then failure = "the answer " .. failure end
  end
  local took = (now() - start) * 1000
  if not answer then
    count_failure()
    return without_planner(partition, string.format("no answer after %.0f ms: %s", took, tostring(failure)))
  end
  if answer.failed == "1" then count_failure() else failures = 0 end
  slurm.log_info("planner: uid=%s partition=%s action=%s plan=%s time_limit=%s gpus=%s took_ms=%.1f %s", tostring(uid), printable(partition or ""),
    answer.action, printable(answer.plan or ""), printable(answer.time_limit or ""), printable(answer.tres_value or ""), took,
    printable(answer.reason or ""))
  if answer.failed == "1" then
    slurm.log_error("planner: %s: the job is %s", printable(answer.reason or ""), answer.action == "refuse" and "refused (policy: closed)" or
      "taken without a plan (policy: open)")
  end
  for _, message in ipairs(answer.message) do slurm.log_user("planner: %s", printable(message)) end
  if answer.action == "refuse" then return slurm.ERROR end
  if answer.action == "accept" then amend(job, answer) end
  return slurm.SUCCESS
end

function slurm_job_submit(job, partitions, uid)
  -- A mistake in here must cost nobody a job.
  local ok, result = pcall(check, job, partitions, uid)
  if ok then return result end
  slurm.log_error("planner: job_submit.lua has failed: %s: the job is taken without a plan", printable(tostring(result)))
  return slurm.SUCCESS
end

function slurm_job_modify(job, record, partitions, uid)
  return slurm.SUCCESS
end

slurm.log_info("planner: job_submit.lua is loaded, asks at %s", SOCKET)
return slurm.SUCCESS
