// Land, water and everything that stands on it. All light is worked out per vertex; the faces' normals make it flat.
in vec3 in_position;
in vec4 in_normal;            // bytes 1 to 255 for -1 to 1; w: 1 shines, -1 shines at night
in vec4 in_colour;            // w: 1 is water
out vec3 v_colour;

void main() {
    vec4 normal = (in_normal * 255.0 - 128.0) / 127.0;
    vec3 ray = in_position - u_eye;
    float range = length(ray);
    vec3 dir = ray / max(range, 0.001);
    gl_Position = u_camera * vec4(ray, 1.0);
    vec3 colour = in_colour.rgb * shade(normal.xyz);
    if (in_colour.a > 0.5) {
        float grazing = 1.0 - clamp(-dir.z, 0.0, 1.0);
        float mirror = 0.55 * grazing * grazing * grazing * grazing;
        colour = mix(colour, sky_colour(vec3(dir.xy, 0.25)), mirror * (1.0 - max(normal.w, 0.0)));
    }
    float lamp = normal.w < 0.0 ? u_night : 0.0;
    colour = mix(colour, in_colour.rgb * 1.05, max(normal.w, 0.0));
    colour = mix(colour, vec3(1.0, 0.82, 0.45), lamp);
    float thickness = range / u_visibility;
    float haze = 1.0 - exp(-3.0 * thickness * sqrt(thickness));
    haze = max(haze, smoothstep(0.7, 0.98, range / u_view_distance));
    float through = max(normal.w, lamp) * 0.35 * (1.0 - haze);
    v_colour = mix(colour, sky_colour(vec3(dir.xy, 0.0)), haze - through * haze);
}
