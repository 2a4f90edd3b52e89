-- The address of Keyward's decision. Append ?scope=documents:read to require a scope.
local decision = "http://127.0.0.1:9090/v1/forward-auth"

local identity = { "x-keyward-key-id", "x-keyward-key-name", "x-keyward-owner", "x-keyward-scopes" }
-- The client's fields that go to Keyward. No other field of a client does.
local forwarded = { "authorization", "x-api-key", "user-agent", "origin", "access-control-request-method" }
-- The fields of Keyward's response that a client gets.
local returned = { "content-type", "www-authenticate", "retry-after", "ratelimit", "ratelimit-policy", "x-request-id", "cache-control" }

local unavailable = '{"error":{"type":"unavailable_error","message":"API keys cannot be verified at the moment: try again",'
    .. '"param":null,"code":"verification_unavailable"}}'

-- HAProxy numbers values from 0.
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
        -- The path as the client sent it, and as the API gets it.
        ["x-original-uri"] = { txn.f:url() },
        ["x-forwarded-for"] = { txn.f:src() },
    }
    for _, name in ipairs(forwarded) do
        if request[name] then headers[name] = list(request[name]) end
    end

    local response = core.httpclient():get({ url = decision, headers = headers, timeout = 5000 })
    local fields = response and response.headers or {}
    if response and response.status == 200 then
        for _, name in ipairs(identity) do
            local value = fields[name] and fields[name][0] or ""
            if value ~= "" then txn.http:req_set_header(name, value) end
        end
        txn:set_var("txn.keyward", "passed")
    elseif response and (response.status == 401 or response.status == 403 or response.status == 429) then
        local passed = {}
        for _, name in ipairs(returned) do
            if fields[name] then passed[name] = list(fields[name]) end
        end
        refuse(txn, response.status, passed, response.body)
    else
        refuse(txn, 503, { ["content-type"] = { "application/json" }, ["retry-after"] = { "1" } }, unavailable)
    end
end)
