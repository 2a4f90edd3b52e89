-- The URL at which Keyward authorizes requests. To require a scope, append ?scope=documents:read.
local check_url = "http://127.0.0.1:9090/v1/forward-auth"

local identity = { "x-keyward-key-id", "x-keyward-key-name", "x-keyward-owner", "x-keyward-scopes" }
-- The client fields that Keyward gets. A client cannot set the other fields of the check.
local request_fields = { "authorization", "x-api-key", "user-agent", "origin", "access-control-request-method" }
-- The fields about the limits of the key, which the client gets with each response.
local limit_fields = { ["ratelimit"] = "txn.keyward_limits", ["ratelimit-policy"] = "txn.keyward_policy" }
-- The fields of Keyward's refusal that the client gets.
local refusal_fields = { "content-type", "www-authenticate", "retry-after", "ratelimit", "ratelimit-policy", "x-request-id", "cache-control" }

local unavailable = '{"error":{"type":"unavailable_error","message":"API keys cannot be verified at the moment: try again",'
    .. '"param":null,"code":"verification_unavailable"}}'

-- HAProxy numbers the values of a field from 0.
local function list(values)
    local result = {}
    for index = 0, #values do result[index + 1] = values[index] end
    return result
end

local function refuse(txn, status, headers, body)
    local reply = txn:reply({ status = status, body = body })
    for name, values in pairs(headers) do
        for _, value in ipairs(values) do reply:add_header(name, value) end
    end
    txn:done(reply)
end

core.register_action("keyward", { "http-req" }, function(txn)
    local request = txn.http:req_get_headers()
    local headers = {
        ["x-original-method"] = { txn.f:method() },
        -- The unchanged target of the request, which the API gets too.
        ["x-original-uri"] = { txn.f:url() },
        ["x-forwarded-for"] = { txn.f:src() },
    }
    for _, name in ipairs(request_fields) do
        if request[name] then headers[name] = list(request[name]) end
    end

    local answer = core.httpclient():get({ url = check_url, headers = headers, timeout = 5000 })
    local fields = answer and answer.headers or {}
    if answer and answer.status == 200 then
        for _, name in ipairs(identity) do
            local value = fields[name] and fields[name][0] or ""
            if value ~= "" then txn.http:req_set_header(name, value) end
        end
        for name, variable in pairs(limit_fields) do
            if fields[name] then txn:set_var(variable, fields[name][0]) end
        end
        txn:set_var("txn.keyward", "passed")
    elseif answer and (answer.status == 401 or answer.status == 403 or answer.status == 429) then
        local passed = {}
        for _, name in ipairs(refusal_fields) do
            if fields[name] then passed[name] = list(fields[name]) end
        end
        refuse(txn, answer.status, passed, answer.body)
    else
        refuse(txn, 503, { ["content-type"] = { "application/json" }, ["retry-after"] = { "1" } }, unavailable)
    end
end)
