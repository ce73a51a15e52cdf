/* library/listing.c - what is read and what is not, in the words of the public headers. */
#include "library/session.h"

#include "core/array.h"

bool pji_source_is(const struct pji_channel *channel)
{
    return channel->role == PJI_ROLE_ENERGY || channel->role == PJI_ROLE_POWER;
}

bool pji_source_is_alternative(const struct pji_channel *channel)
{
    return pji_source_is(channel) && channel->companion >= 0;
}

void pji_source_view(struct pj_source *source, const struct pji_channel *channel)
{
    *source = (struct pj_source){.name = channel->name,
                                 .instrument = channel->source,
                                 .domain = channel->domain,
                                 .parent = channel->parent,
                                 .kind = pji_domain_kind_name(channel->domain_kind),
                                 .device = channel->device,
                                 .origin = channel->origin,
                                 .refresh_ns = channel->refresh_ns};
}

pj_status pji_session_list(struct pj_session *session, struct pj_error *err)
{
    const struct pji_trace_header *header = &session->trace.header;

    session->sources = pji_zalloc(header->n_channels + 1, sizeof *session->sources, err);
    session->missing = pji_zalloc(header->n_missing + 1, sizeof *session->missing, err);
    if (!session->sources || !session->missing)
        return PJ_ENOMEM;
    for (size_t i = 0; i < header->n_channels; i++) {
        if (pji_source_is(&header->channels[i]))
            pji_source_view(&session->sources[session->n_sources++], &header->channels[i]);
    }
    for (; session->n_missing < header->n_missing; session->n_missing++) {
        const struct pji_missing *row = &header->missing[session->n_missing];

        session->missing[session->n_missing] =
            (struct pj_missing){.domain = row->domain,
                                .instrument = row->source,
                                .kind = pji_domain_kind_name(row->domain_kind),
                                .reason = row->reason,
                                .fix = row->fix};
    }
    return PJ_OK;
}

size_t pj_session_source_count(const struct pj_session *session)
{
    return session->n_sources;
}

const struct pj_source *pj_session_source(const struct pj_session *session, size_t i)
{
    return i < session->n_sources ? &session->sources[i] : NULL;
}

size_t pj_session_missing_count(const struct pj_session *session)
{
    return session->n_missing;
}

const struct pj_missing *pj_session_missing(const struct pj_session *session, size_t i)
{
    return i < session->n_missing ? &session->missing[i] : NULL;
}
