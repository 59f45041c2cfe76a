#!/bin/sh
# A whole test of the flow, written with curl: each line that fails ends it. The simulator has to run on this machine:
#   sh docs/scenario-curl.sh [http://127.0.0.1:8000]
set -eu
MOCK=${1:-http://127.0.0.1:8000}
call() { curl -sS --fail-with-body "$@"; echo; }
json() { call -H 'Content-Type: application/json' "$@"; }
# Asks, and ends the test unless the answer has what is expected in it.
expect() {
  wanted=$1; shift
  answer=$(call "$@") || { echo "$answer"; exit 1; }
  case $answer in
    *"$wanted"*) ;;
    *) echo "Expected $wanted, but the answer is: $answer"; exit 1 ;;
  esac
}

# Load the default scenario, with nothing but what it says, and stop its clock on a Friday morning.
json -X PUT "$MOCK/_admin/scenario" -d '{"name": "decouverte"}'
call -X POST "$MOCK/_admin/reset"
json -X POST "$MOCK/_admin/clock/freeze" -d '{"at": "2026-11-20T08:00:00+01:00"}'

# The SAS searches free slots of a practitioner (INT_R01).
expect '"id":"810100050075-1-202611200715"' -G "$MOCK/agenda-ville/fhir/Slot" \
  -d _include=Slot:schedule -d _include:iterate=Schedule:actor -d status=free \
  --data-urlencode start=ge2026-11-20T08:00:00.000+01:00 --data-urlencode start=le2026-11-22T23:59:59.999+01:00 \
  --data-urlencode 'schedule.actor:Practitioner.identifier=urn:oid:1.2.250.1.71.4.2.1|810100050075'

# It provisions a regulator (INT_R02).
expect '"active":true' -X PUT "$MOCK/agenda-ville/fhir/Practitioner?identifier=urn:oid:1.2.250.1.71.4.2.1%7C3456780581/11242343" \
  -H 'Content-Type: application/fhir+json' -d '{
  "resourceType": "Practitioner", "meta": {"source": "urn:oid:1.2.250.1.213.3.6"},
  "identifier": [{"type": {"coding": [{"system": "http://interopsante.org/fhir/CodeSystem/fr-v2-0203", "code": "IDNPS"}]},
                  "system": "urn:oid:1.2.250.1.71.4.2.1", "value": "3456780581/11242343"}],
  "active": true, "name": [{"family": "Loridon", "given": ["Sébastien"]}],
  "telecom": [{"system": "email", "value": "sebastien.loridon@test.com"}]}'

# The regulator books a slot through the SAS; accounts may be named by an identifier.
expect '"status":"booked"' -H 'Content-Type: application/json' -X POST "$MOCK/_admin/appointments" -d '{
  "editor": "agenda-ville", "slot": "810100050075-1-202611200715",
  "account": "3456780581/11242343", "patient": "Zoé Fictif", "reason": "Fièvre"}'

# The SAS is told of it (INT_R03).
call "$MOCK/_admin/journal/wait?flow=INT_R03&status=2xx&count=1&timeout=10"

# What has to be in the journal, and what must not.
call "$MOCK/_admin/journal/wait?flow=INT_R01&status=200&count=1&timeout=0"
call "$MOCK/_admin/journal/wait?flow=INT_R02&contains=3456780581/11242343&count=1&timeout=0"
expect '{"count":0}' "$MOCK/_admin/journal/count?status=5xx"

# The practice closes the next slot, a day goes by, and everything is put back.
json -X PUT "$MOCK/_admin/calendars/agenda-ville/slots/810100050075-1-202611200745" -d '{"state": "closed"}'
expect '"slot":"810100050075-1-202611200745"' "$MOCK/_admin/calendars/agenda-ville/changes"
expect '"now":"2026-11-21T07:00:00Z"' -H 'Content-Type: application/json' -X POST "$MOCK/_admin/clock/advance" -d '{"days": 1}'
call -X POST "$MOCK/_admin/reset"
expect '{"appointments":[]' "$MOCK/_admin/appointments"
expect '{"changes":[]}' "$MOCK/_admin/calendars/agenda-ville/changes"
echo 'All as expected.'
