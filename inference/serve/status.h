// GET /status: what the engine counts, as JSON. Numbers only, nothing of any request or tenant.
#pragma once

#include <boost/json/object.hpp>

#include "inference/schedule/options.h"

namespace portcullis::inference {

boost::json::object StatusBody(const SchedulerCounters& counters);

}  // namespace portcullis::inference
